/* SPDX-License-Identifier: Apache-2.0 */
/* agent_release - of which kernel the modules in the agent's image are. */
#include "vmm/modules/agent_release.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/machine/kernel_config.h"

/* The first entry of an archive of the form "newc": thirteen numbers of eight digits, the name, padded to
 * four bytes, and the file
 */
#define NEWC_HEAD      110
#define NEWC_FILE_SIZE 54
#define NEWC_NAME_SIZE 94
#define RELEASE_FILE   ".release"

static unsigned long newc_number(const char *digits)
{
	char text[9] = "";

	memcpy(text, digits, 8);
	return strtoul(text, NULL, 16);
}

bool agent_release(const char *path, char release[RELEASE_MAX])
{
	const size_t name = sizeof(RELEASE_FILE),
		     at = ALIGN_UP(NEWC_HEAD + name, (size_t)4);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[256] = "";
	size_t n;

	if (fd < 0 || pread_full(fd, head, sizeof(head) - 1, 0) < (long)at)
		return false;
	if (memcmp(head, "070701", 6) != 0 ||
	    newc_number(head + NEWC_NAME_SIZE) != name ||
	    memcmp(head + NEWC_HEAD, RELEASE_FILE, name) != 0)
		return false;
	n = newc_number(head + NEWC_FILE_SIZE);
	n = MIN(n, MIN(sizeof(head) - at, (size_t)RELEASE_MAX) - 1);
	memcpy(release, head + at, n);
	release[n] = '\0';
	release[strcspn(release, "\n")] = '\0';
	text_printable(release, strlen(release));
	return true;
}

bool kernel_file_release(const char *path, char release[RELEASE_MAX])
{
	struct kernel_file f;
	struct err ignored; /* its loader says what is wrong */
	bool found;

	if (kernel_open(&f, path, &ignored) < 0)
		return false;
	found = kernel_release(&f, release);
	kernel_close(&f);
	return found;
}

/* Return: the configuration of the kernel @path, which the caller frees; NULL: it is not known */
static char *config_of(const char *path)
{
	char *text = kernel_config_read(path);
	struct kernel_file f;
	struct err ignored;

	if (text || kernel_open(&f, path, &ignored) < 0)
		return text;
	text = kernel_config_inside(&f);
	kernel_close(&f);
	return text;
}

int agent_release_check(const char *kernel, const char *name, const char *agent,
			struct err *e)
{
	static const char *const options[][2] = {
		{"\nCONFIG_VIRTIO_MMIO=m\n", "virtio_mmio"},
		{"\nCONFIG_VIRTIO_CONSOLE=m\n", "virtio_console"}};
	char ours[RELEASE_MAX], theirs[RELEASE_MAX], dir[128] = "";
	cleanup_free char *text = NULL;

	if (!agent_release(agent, theirs) || !kernel_file_release(kernel, ours) ||
	    strcmp(ours, theirs) == 0)
		return 0;
	text = config_of(kernel);
	(void)snprintf(dir, sizeof(dir), "/lib/modules/%s", ours);
	for (size_t i = 0; text && i < ARRAY_SIZE(options); i++)
		if (strstr(text, options[i][0]))
			return err_set(
				e, ENOEXEC,
				"kernel %.120s: is %s, whose %s is a module, and the "
				"agent's image has %s%s; give its own: --modules %s",
				name, ours, options[i][1], *theirs ? "those of " : "none",
				theirs, access(dir, F_OK) == 0 ? dir : "DIR");
	return 0;
}
