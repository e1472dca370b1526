/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - everything an operator can say about a machine, as plain data.
 *
 * Filled by vmm/settings/cli.c and vmm/settings/config_json.c, read by the machine and its devices; no
 * reader goes back to argv.  Strings are owned by the config (config_fini() in
 * vmm/settings/config_life.h frees them).
 */
#ifndef MICROVM_CORE_CONFIG_H
#define MICROVM_CORE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/log.h"

#define CONFIG_DISKS_MAX   16
#define CONFIG_NETS_MAX    8
#define CONFIG_INITRDS_MAX 16
#define CONFIG_SHARES_MAX  8
#define CONFIG_PORTS_MAX   8
#define CONFIG_PMEMS_MAX   4

#define CONFIG_PORT_NAME_MAX 63
#define CONFIG_ID_MAX        15

#define CONFIG_MEMORY_MIN \
	(UINT64_C(16) << 20) /* that a guest has, and keeps from a balloon */

#define CONFIG_NAME    "microvm"             /* --name, if none is given */
#define CONFIG_STOP_NS UINT64_C(10000000000) /* --stop-timeout, if not given */

/* What a disk's file holds (devices/backend/disk_image.h) */
enum disk_format {
	DISK_FORMAT_BY_NAME, /* by the ending of the file's name; raw if it is unknown */
	DISK_FORMAT_AUTO,    /* by the first bytes of the file */
	DISK_FORMAT_RAW,
	DISK_FORMAT_QCOW2,
	DISK_FORMAT_VMDK,
	DISK_FORMAT_VDI,
	DISK_FORMAT_VHDX,
	DISK_FORMAT_VPC, /* Microsoft's VHD */
	DISK_FORMAT_QED,
	/* recognised, and refused with a cure */
	DISK_FORMAT_QCOW,
	DISK_FORMAT_PARALLELS,
	DISK_FORMAT_BOCHS,
	DISK_FORMAT_CLOOP,
	DISK_FORMAT_DMG,
	DISK_FORMAT_LUKS,
	DISK_FORMAT_TAR, /* an OVA is one */
	DISK_FORMAT_GZIP,
	DISK_FORMAT_XZ,
	DISK_FORMAT_BZIP2,
	DISK_FORMAT_ZSTD,
	DISK_FORMAT_ZIP,
	DISK_FORMAT_SIMG, /* Android's sparse images */
	DISK_FORMATS
};

/* Limits on traffic, a second; 0: none. A burst of 0: rate.h chooses */
struct config_rate {
	uint64_t bytes, bytes_burst;
	uint64_t ops, ops_burst;
};

/* May a write wait in the host's cache until the guest flushes? */
enum config_cache { CACHE_WRITEBACK, CACHE_WRITETHROUGH };

enum disk_io { DISK_IO_AUTO, DISK_IO_URING, DISK_IO_SYNC }; /* auto: io_uring if it can */

/* A disk's or a card's name in messages and reports: letters, digits, '-' and '_'; no other device
 * of the machine has it.  "blk0" or "net0" and so on where the operator gave none
 */
typedef char config_id[CONFIG_ID_MAX + 1];

struct config_disk {
	config_id id;
	char *path;       /* NULL when @vhost_user is given */
	char *vhost_user; /* the socket of the process that serves it */
	enum disk_format format;
	bool backing; /* the image may name other files */
	char *serial; /* NULL: none given; at most 20 bytes (virtio 1.2, 5.2.6) */
	bool readonly;
	bool direct;    /* O_DIRECT */
	uint32_t block; /* that the guest sees: 512 or 4096 bytes; 0: the image's */
	enum disk_io io;
	enum config_cache cache; /* until the guest chooses */
	struct config_rate rate;
	char *overlay; /* holds blocks that differ from @path, which is not written */
};

struct config_share {
	char *path;   /* a directory; NULL when @socket is given */
	char *socket; /* of the process that serves it */
	char *tag;    /* the guest's name for it */
	bool readonly;
	/* not @path, but what every user of this host may see of its root (docs/run.md).  No option
	 * of a machine sets it
	 */
	bool host;
};

#define CONFIG_PUBLISH_MAX 16

/* A port of the host that leads to one of the guest, as passt takes it: "[ADDRESS/]8080:80" */
struct config_publish {
	char spec[80];
	uint32_t address; /* of the host, network byte order; 0: all */
	uint16_t port;    /* of the host */
	bool udp;
};

struct config_net {
	config_id id;
	char *tap;        /* interface name; NULL when @fd is given */
	int fd;           /* -1, or a tap file descriptor we inherited */
	char *vhost_user; /* instead of both: the socket of the process that serves it */
	bool vhost;       /* the host's kernel serves it */
	bool user;        /* instead of all: by passt, which needs no root */
	bool host; /* with user: the router's address leads to this host's loopback */
	struct config_publish publish[CONFIG_PUBLISH_MAX];
	unsigned int npublish;
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;              /* 0: not told to the guest */
	char *netns;               /* where @tap is; NULL: here */
	struct config_rate rx, tx; /* as the guest sees it */
};

struct config_vsock {
	char *path; /* of the socket on the host; NULL: no vsock */
	uint32_t cid;
};

struct config_pmem {
	char *path;
	bool readonly;
};

struct config_balloon {
	bool on;       /* there is one */
	uint64_t size; /* bytes that the guest is asked for at the start */
	bool reporting, deflate_on_oom;
};

/* A port to which a test guest writes how it ended */
struct config_exit_port {
	bool on, has_good;
	uint16_t port;
	uint32_t good; /* with this value the status is 0 */
};

enum config_console { CONSOLE_SERIAL, CONSOLE_VIRTIO, CONSOLE_NONE };

/* Where a console or a port goes on the host */
enum config_end_kind { END_UNSET, END_STDIO, END_PTY, END_UNIX, END_FILE, END_FD };

struct config_end {
	enum config_end_kind kind;
	char *path;         /* of the socket or the file */
	int fd;             /* that we inherit, of END_FD */
	uint64_t file_size; /* bytes, from which on the file is PATH.1; 0: no limit */
	bool has_file_size;
};

/* What kind of reader the console has */
enum config_reader {
	READER_UNKNOWN,  /* a program that opens a pty or connects to a socket */
	READER_TERMINAL, /* a person at our own terminal, whose keys are the input */
	READER_PLAIN     /* a program or a file: bytes arrive as they are written */
};

struct config_port {
	char *name;
	struct config_end end;
};

/* What is between a guest that has taken over the process and the host (vmm/jail/jail.h) */
enum jail_mode {
	JAIL_AUTO,   /* every layer that the host gives */
	JAIL_STRICT, /* every layer */
	JAIL_OFF
};

struct config_said; /* vmm/settings/said.h */

struct config {
	char *kernel;
	char *kernel_name; /* what sentences call it, if @kernel is a file without a name */
	char *initrd[CONFIG_INITRDS_MAX];
	unsigned int ninitrd;
	char *append;  /* added to the VMM's command line; NULL: nothing */
	char *cmdline; /* replaces it; NULL: the VMM writes one */
	struct config_disk disk[CONFIG_DISKS_MAX];
	unsigned int ndisk;
	struct config_net net[CONFIG_NETS_MAX];
	unsigned int nnet;
	struct config_vsock vsock;
	struct config_share share[CONFIG_SHARES_MAX];
	unsigned int nshare;
	unsigned int ncpu; /* >= 1 */
	uint64_t memory;   /* bytes, a multiple of the page size */
	bool hugepages;
	struct config_balloon balloon;
	struct config_exit_port exit_port;
	struct config_pmem pmem[CONFIG_PMEMS_MAX];
	unsigned int npmem;
	enum config_console console;
	struct config_end console_end;
	enum config_reader console_reader;
	struct config_port port[CONFIG_PORTS_MAX];
	unsigned int nport;
	char *name;
	uint64_t timeout_ns; /* 0: none */
	enum jail_mode jail;
	char *cgroup; /* "own", "off" or a directory; NULL: where it costs nothing */
	unsigned int cpu_limit; /* thousandths of a processor; 0: none */
	bool early;             /* open all that the devices need before the guest runs */
	uint64_t stop_timeout_ns; /* for the guest to end after SIGTERM; 0: no time */
	char *pidfile;            /* NULL: none */
	char *report;             /* NULL: none */
	char *control;            /* the path of the control socket; NULL: none */
	bool acpi; /* off: 8259 + 8254 and virtio_mmio.device= instead of ACPI */
	const char *acpi_word; /* the word of the kernel's command line that switched
			        * @acpi off; NULL: none did. Not freed
			        */
	enum log_level log_level;
	const struct machine_load *load; /* it goes on from there; NULL: it boots */
	char *dump_dtb;    /* where the device tree is to be written; NULL: nowhere */
	char *dtb_overlay; /* the overlay that is applied to it first; NULL: none */
	bool dry_run;
	bool json;                /* the dry run prints its configuration instead */
	struct config_said *said; /* all of the above as it was said; NULL: nothing */
};

/* config_kernel_name() - what sentences call the kernel */
static inline const char *config_kernel_name(const struct config *cfg)
{
	return cfg->kernel_name ? cfg->kernel_name : cfg->kernel;
}

#endif
