/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups - which modules the agent loads, and for what: a group's name, then modules, a line each.
 *
 * The program has them from here (vmm/modules/modules.c), and mkagent, which takes the lines in quotes.
 * In an image, /modules/groups has them with what each depends on before it, and without what is built
 * in or not there.
 */
#ifndef MICROVM_AGENT_GROUPS_H
#define MICROVM_AGENT_GROUPS_H

#define AGENT_GROUPS                        \
	"boot virtio_mmio virtio_console\n" \
	"virtiofs virtiofs\n"               \
	"overlay overlay\n"                 \
	"disk virtio_blk\n"                 \
	"squashfs squashfs\n"               \
	"erofs erofs\n"                     \
	"ext4 ext4\n"                       \
	"net virtio_net\n"

#endif
