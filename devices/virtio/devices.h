/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices - the virtio devices a machine can have.  Each makes instance @i of its kind
 * from the config; the machine's table (vmm/machine/machine_virtio.c) calls them in order.
 *
 * All: Return the device, or NULL with @e set and everything undone.
 */
#ifndef MICROVM_VIRTIO_DEVICES_H
#define MICROVM_VIRTIO_DEVICES_H

#include "devices/virtio/virtio.h"
#include "devices/backend/tty.h"

struct disk;

/* cfg->disk[@i], named by its id */
struct virtio_dev *blk_create(const struct virtio_env *env, unsigned int i,
			      struct err *e);
/* the same, if another process serves it (blk_is_elsewhere()) */
struct virtio_dev *blk_vhost_create(const struct virtio_env *env, unsigned int i,
				    struct err *e);
bool blk_is_elsewhere(const struct config_disk *c);
/* cfg->share[@i]: "fs@i" */
struct virtio_dev *fs_create(const struct virtio_env *env, unsigned int i, struct err *e);
/* blk_look_again() - has the host changed the size of the file or device of @v?  Any device;
 * those that blk_create() did not make are ignored, without waiting. Takes dev->lock
 */
void blk_look_again(struct virtio_dev *v);
/* blk_resize() - make the file of @v @size bytes long, 0: look how long it is, and tell the guest. Takes
 * dev->lock; loop thread. Return: 0, and what the guest sees in @now; -errno with a sentence in @e that
 * does not name the disk: as disk_grow(), and -EBUSY: it waits for the host
 */
int blk_resize(struct virtio_dev *v, uint64_t size, uint64_t *now, struct err *e);
/* blk_disk() - on which it stands.  Return: NULL: another process serves it */
struct disk *blk_disk(const struct virtio_dev *v);
/* blk_size() - bytes that the guest sees. Loop thread. Return: 0: another process serves it and knows */
uint64_t blk_size(const struct virtio_dev *v);
/* cfg->net[@i], named by its id */
struct virtio_dev *net_create(const struct virtio_env *env, unsigned int i,
			      struct err *e);
/* the same, if the kernel or another process serves it (net_is_elsewhere()) */
struct virtio_dev *net_vhost_create(const struct virtio_env *env, unsigned int i,
				    struct err *e);
bool net_is_elsewhere(const struct config_net *c);
/* cfg->balloon: "balloon0" */
struct virtio_dev *balloon_create(const struct virtio_env *env, unsigned int i,
				  struct err *e);
/* entropy from the host: "rng0" */
struct virtio_dev *rng_create(const struct virtio_env *env, unsigned int i,
			      struct err *e);
/* the power button of a machine without ACPI's: "button0" */
struct virtio_dev *input_create(const struct virtio_env *env, unsigned int i,
				struct err *e);
/* input_press() - press and release the button @v, which input_create() made.  While a press is
 * still on its way to the driver, another has no effect. Loop thread; takes dev->lock.
 * Return: is there a driver?  If not, nothing has happened
 */
bool input_press(struct virtio_dev *v);
/* cfg->vsock: "vsock0" */
/* vsock_reserve() - after the machine has opened all that it needs at its start; it may need
 * @others more later. Connections get the rest of the process's descriptors, and a small rest is
 * logged. Before the guest runs. Return: 0, or -EMFILE with a sentence in @e
 */
int vsock_reserve(struct virtio_dev *v, unsigned int others, struct err *e);
struct virtio_dev *vsock_create(const struct virtio_env *env, unsigned int i,
				struct err *e);
/* hvc0 on @tty (not owned): "console0" */
struct virtio_dev *console_create(const struct virtio_env *env, struct tty *tty,
				  struct err *e);
/* cfg->port[], each on its own of @tty[cfg->nport] (not owned): "ports0".  In the guest they are
 * /dev/virtio-ports/NAME
 */
struct virtio_dev *ports_create(const struct virtio_env *env, struct tty *const *tty,
				struct err *e);
struct tty_client *ports_client(struct virtio_dev *v, unsigned int i); /* of port[@i] */
/* console_client() - the client of a console_create()d device, for tty_start() */
struct tty_client *console_client(struct virtio_dev *v);

#endif
