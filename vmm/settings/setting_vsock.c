/* SPDX-License-Identifier: Apache-2.0 */
/* setting_vsock - the parts of --vsock: the socket's path and the guest's CID. */
#include "vmm/settings/setting_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define VSOCK_CID_MIN     3 /* virtio 1.2, 5.10.4: those below are reserved */
#define VSOCK_CID_MAX     (UINT32_MAX - 1)
#define VSOCK_CID_DEFAULT 3
/* A guest's connection to port P goes to PATH_P, which must also fit an address */
#define VSOCK_SUFFIX_MAX (sizeof("_4294967295") - 1)
#define VSOCK_PATH_MAX \
	(sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 - VSOCK_SUFFIX_MAX)

static int vsock_begin(struct config *cfg, struct err *e)
{
	(void)e;
	free(cfg->vsock.path);
	cfg->vsock = (struct config_vsock){.cid = VSOCK_CID_DEFAULT};
	return 0;
}

static int vsock_set_path(struct config *cfg, const char *value, struct err *e)
{
	return parts_socket(&cfg->vsock.path, value, VSOCK_PATH_MAX,
			    ", which leaves room for _PORT", e);
}

static int vsock_set_cid(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_uint(value, VSOCK_CID_MAX, &n) < 0 || n < VSOCK_CID_MIN)
		return err_usage(
			e,
			"\"%.60s\" is not a guest's CID; give 3 to %u (0 to 2 are "
			"reserved, 2 is the host)",
			value, VSOCK_CID_MAX);
	cfg->vsock.cid = (uint32_t)n;
	return 0;
}

static int vsock_end(struct config *cfg, struct err *e)
{
	if (!cfg->vsock.path)
		return err_usage(e, "there is no path; give one, like path=vm.sock");
	return 0;
}

static const struct setting_part vsock_parts[] = {
	{"path", NULL, SETTING_SOCKET, vsock_set_path, "SOCKET",
	 "the unix socket that microvm makes"},
	{"cid", NULL, SETTING_NUMBER, vsock_set_cid, "N", "the guest's address (3)"},
};

const struct setting_parts setting_vsock = {
	.part = vsock_parts,
	.n = ARRAY_SIZE(vsock_parts),
	.bare = true,
	.begin = vsock_begin,
	.end = vsock_end,
};
