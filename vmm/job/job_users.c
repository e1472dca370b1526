/* SPDX-License-Identifier: Apache-2.0 */
/* job_users - who the job's user is in a volume. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/subids.h"
#include "vmm/job/job.h"

static bool is_root(const char *user)
{
	size_t len = user ? strcspn(user, ":") : 0;

	return !user || (len == 4 && strncmp(user, "root", 4) == 0) ||
	       strspn(user, "0") == len;
}

/* Only us in it: as the job sees it, that is root */
static void warn_alone(const struct job_options *o)
{
	struct subids ids;
	struct err e;

	if (subids_find(&ids, &e) == 0)
		err_set(&e, 0, "the machine got none of this user's subordinate ids");
	log_warn("--user %s can make no file in a volume, where all is root's or "
		 "nobody's: %s",
		 o->user, e.msg);
}

static void warn_volume(const struct job_options *o, const struct job_volume *v)
{
	struct stat st;

	if (stat(v->src, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & S_IWOTH))
		log_warn(
			"--user %s may not write to %s, which is yours, so root's as the "
			"job sees it; give it away in a job of root (chown -R %s %s), "
			"or chmod o+w %s",
			o->user, v->dst, o->user, v->dst, v->src);
}

void job_users_warn(const struct job_options *o)
{
	struct subids_range u, g;
	unsigned int first = 0;

	while (first < o->nvolume && o->volume[first].readonly)
		first++;
	/* what follows asks the host */
	if (first == o->nvolume || is_root(o->user) || geteuid() == 0)
		return;
	if (!subids_given(&u, &g)) {
		warn_alone(o);
		return;
	}
	for (unsigned int i = first; i < o->nvolume; i++)
		if (!o->volume[i].readonly)
			warn_volume(o, &o->volume[i]);
}
