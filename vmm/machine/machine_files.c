/* SPDX-License-Identifier: Apache-2.0 */
/* machine_files - see machine_files.h. */
#include "vmm/machine/machine_files.h"

#include "devices/virtio/devices.h"
#include "devices/virtio/pmem.h"

static unsigned int files_of(struct virtio_dev *v, const struct disk *d, bool mapped,
			     struct machine_file *f)
{
	const struct disk *at[DISK_FILES_MAX];
	unsigned int n = disk_files(d, at);

	for (unsigned int i = 0; i < n; i++)
		f[i] = (struct machine_file){.of = v,
					     .id = v->name,
					     .path = at[i]->path,
					     .fd = at[i]->fd,
					     .size = at[i]->size,
					     .readonly = at[i]->readonly,
					     .device = at[i]->device,
					     .mapped = mapped && !at[i]->readonly,
					     .overlay = i > 0,
					     .empty = i > 0 && disk_is_plain(d)};
	return n;
}

unsigned int machine_files(const struct machine *m,
			   struct machine_file f[MACHINE_FILES_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < m->ndisk; i++) {
		const struct disk *d = blk_disk(m->disk[i]);

		if (d)
			n += files_of(m->disk[i], d, false, f + n);
	}
	for (unsigned int i = 0; i < m->npmem; i++)
		n += files_of(m->pmem[i], pmem_disk(m->pmem[i]), true, f + n);
	return n;
}

void machine_file_failed(const struct machine_file *f)
{
	struct disk *d = blk_disk(f->of);

	pthread_mutex_lock(&f->of->dev->lock);
	disk_fail_flushes(d ? d : pmem_disk(f->of));
	pthread_mutex_unlock(&f->of->dev->lock);
}
