/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_frame - the frames of a load, the same bytes from a guest and from a process of the
 * host that it is compared with (tests/bench/tap.c).
 */
#ifndef PAYLOAD_NET_FRAME_H
#define PAYLOAD_NET_FRAME_H

#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <stdint.h>

#define NET_PROTOCOL     0x88b5 /* for experiments (IEEE 802) */
#define NET_FRAME_MAX    65535  /* without the header of virtio */
#define NET_TCP_HEADERS  54     /* Ethernet, IPv4, TCP */
#define NET_TCP_SEGMENT  1460
#define NET_TCP_CHECKSUM 16 /* where it is in a TCP header */
#define NET_IP_OFFSET    14
#define NET_TCP_OFFSET   34

/* As many different ones, one after the other: what a cache makes of them is the same then */
#define NET_FRAMES 128

/* A broadcast frame wakes every listener; the host drops one for an unknown address as soon as it
 * has seen the address
 */
#define NET_FOR_ALL    0xff
#define NET_FOR_NOBODY 0x0a

struct net_frame {
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct ethhdr eth;
	uint8_t data[NET_FRAME_MAX - ETH_HLEN];
} __attribute__((packed));

/* net_frame_make() - @size bytes from the Ethernet header on, to @to.  More than an Ethernet
 * frame is a TCP segment that the other side has to cut. @f is zeroed; each byte is written, for
 * memory that never was is read from one and the same page of zeroes
 */
static inline void net_frame_make(struct net_frame *f, uint32_t size, uint8_t to)
{
	uint8_t *ip = f->data, *tcp = f->data + NET_TCP_OFFSET - NET_IP_OFFSET;

	for (uint32_t i = 0; i < size - ETH_HLEN; i++)
		f->data[i] = (uint8_t)i;
	for (unsigned int i = 0; i < ETH_ALEN; i++) {
		f->eth.h_dest[i] = to;
		f->eth.h_source[i] = 0x02;
	}
	f->eth.h_proto = __builtin_bswap16(NET_PROTOCOL);
	if (size <= ETH_FRAME_LEN)
		return;
	f->eth.h_proto = __builtin_bswap16(ETH_P_IP);
	for (unsigned int i = 0; i < NET_TCP_HEADERS - ETH_HLEN; i++)
		ip[i] = 0;
	ip[0] = 0x45; /* version 4, 20 bytes of header */
	ip[2] = (uint8_t)((size - ETH_HLEN) >> 8);
	ip[3] = (uint8_t)(size - ETH_HLEN);
	ip[8] = 64; /* time to live */
	ip[9] = 6;  /* TCP */
	ip[12] = ip[16] = 10;
	tcp[12] = 5 << 4; /* 20 bytes of header */
	f->hdr.hdr = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = NET_TCP_HEADERS,
		.gso_size = NET_TCP_SEGMENT,
		.csum_start = NET_TCP_OFFSET,
		.csum_offset = NET_TCP_CHECKSUM,
	};
}

/* net_frame_ask() - an ARP request (RFC 826) for NET_HOST_ADDRESS, which the kernel of the
 * host answers before it has returned from taking it.  Return: its size
 */
#define NET_HOST_ADDRESS 10, 0, 0, 1

static inline uint32_t net_frame_ask(struct net_frame *f)
{
	static const uint8_t arp[28] = {
		0,    1,    8,    0,    6,    4,    0, 1, /* Ethernet, IPv4, request */
		0x02, 0x02, 0x02, 0x02, 0x02, 0x02,       /* from our addresses */
		10,   0,    0,    2,    0,    0,    0, 0, 0, 0, NET_HOST_ADDRESS,
	};

	net_frame_make(f, ETH_ZLEN, NET_FOR_ALL);
	f->eth.h_proto = __builtin_bswap16(ETH_P_ARP);
	for (unsigned int i = 0; i < sizeof(arp); i++)
		f->data[i] = arp[i];
	return ETH_ZLEN;
}

#endif
