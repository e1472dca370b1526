/* SPDX-License-Identifier: Apache-2.0 */
/* job_run - the last steps of a process before it is the job: user, limits, directory, environment */
#include "guest-images/agent/job.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-images/agent/users.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define FILE_MAX     (4U * 1024 * 1024) /* of /etc/passwd; what is behind is not looked at */
#define NOFILE_MAX   1048576

static bool cannot(struct note *note, uint32_t status)
{
	note->what = NOTE_CANNOT;
	note->status = status;
	return false;
}

/* A file of the root's, if it is one; anything else, like a pipe, is an empty one */
static struct text load(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct text text = {0};
	struct stat st;
	char *p;

	if (fd < 0)
		return text;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		size_t size = (size_t)(st.st_size < FILE_MAX ? st.st_size : FILE_MAX);
		ssize_t n;

		p = malloc(size);
		while (p && text.len < size &&
		       (n = read(fd, p + text.len, size - text.len)) > 0)
			text.len += (size_t)n;
		text.p = p;
	}
	close(fd);
	return text;
}

static bool limits(const struct spec *s, struct note *note)
{
	struct rlimit files = {1024, NOFILE_MAX};

	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
		if ((s->limited & 1U << i) &&
		    setrlimit((__rlimit_resource_t)i, &s->limits[i]) < 0) {
			(void)sentence(note->sentence,
				       "a limit of --ulimit cannot be set: %s",
				       strerror(errno));
			return cannot(note, 125);
		}
	return true;
}

/* Into the directory, which is made if it is missing */
static bool workdir(const struct spec *s, struct note *note)
{
	char path[PATH_MAX], *p = path;

	if (!s->workdir || chdir(s->workdir) == 0)
		return true;
	if (errno == ENOENT && s->workdir[0] == '/' &&
	    strlen(s->workdir) < sizeof(path)) {
		strcpy(path, s->workdir);
		while ((p = strchr(p + 1, '/'))) {
			*p = '\0';
			(void)mkdir(path, 0755);
			*p = '/';
		}
		(void)mkdir(path, 0755);
		if (chdir(path) == 0)
			return true;
	}
	(void)sentence(note->sentence, "--workdir %.200s cannot be entered: %s",
		       s->workdir, strerror(errno));
	return cannot(note, 125);
}

/* NAME=VALUE, unless the job has one of that name */
static void default_env(const struct spec *s, unsigned int *n, const char *name,
			const char *value)
{
	size_t len = strlen(name);
	char *word;

	for (unsigned int i = 0; i < *n; i++)
		if (!strncmp(s->env[i], name, len) && s->env[i][len] == '=')
			return;
	if (asprintf(&word, "%s=%s", name, value) > 0)
		s->env[(*n)++] = word;
}

static const char *find_env(char **env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return "";
}

/* Where programs keep their settings.  A user whose home is elsewhere has it by the root's maker's will
 */
static void make_home(const struct user *u)
{
	if (strncmp(u->home, "/home/", 6) == 0 && mkdir(u->home, 0700) == 0)
		(void)!lchown(u->home, u->uid, u->gid);
}

static bool become(const struct spec *s, struct note *note, struct user *u)
{
	struct text passwd = load("/etc/passwd"), group = load("/etc/group");

	struct stat st;

	if (!user_find(u, s->user, passwd, group, note->sentence))
		return cannot(note, 125);
	make_home(u);
	/* /dev/stdout can be opened again, and the terminal */
	for (int i = 0; i < 3; i++)
		if (fstat(i, &st) == 0 && (s->terminal || S_ISFIFO(st.st_mode)))
			(void)!fchown(i, u->uid, (gid_t)-1);
	if (setgroups(u->ngroups, u->groups) < 0 ||
	    setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0) {
		(void)sentence(note->sentence, "the job cannot be user %u: %s", u->uid,
			       strerror(errno));
		return cannot(note, 125);
	}
	return true;
}

/* Why a file was not executed */
static void refused(struct note *note, const char *name, const char *path, int error)
{
	bool there = access(path, F_OK) == 0;

	(void)cannot(note, error == ENOENT || error == ENOTDIR ? 127 : 126);
	if (error == ENOENT && there)
		(void)sentence(
			note->sentence,
			"%.200s is there, but what runs it (its #! line, or its dynamic loader) is not",
			name);
	else if (error == ENOENT || error == ENOTDIR)
		(void)sentence(note->sentence, "there is no command %.200s in the root",
			       name);
	else if (error == ENOEXEC)
		(void)sentence(
			note->sentence,
			"%.200s is no program of this machine's, nor has it a #! line",
			name);
	else
		(void)sentence(note->sentence, "%.200s cannot be executed: %s", name,
			       strerror(error));
}

/* The command, looked for in the job's PATH; what comes back failed */
static void execute(const struct spec *s, struct note *note)
{
	const char *name = s->argv[0], *dir = find_env(s->env, "PATH"), *end;
	bool denied = false;
	char path[PATH_MAX];

	if (strchr(name, '/')) {
		execve(name, s->argv, s->env);
		refused(note, name, name, errno);
		return;
	}
	do {
		end = strchrnul(dir, ':');
		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)(end - dir), dir,
			     end > dir ? "/" : "./", name) >= (int)sizeof(path))
			continue;
		execve(path, s->argv, s->env);
		denied |= errno == EACCES;
		if (errno != EACCES &&
		    ((errno != ENOENT && errno != ENOTDIR) || access(path, F_OK) == 0)) {
			refused(note, name, path, errno);
			return;
		}
	} while (dir = end + 1, *end);
	refused(note, name, "", denied ? EACCES : ENOENT);
}

void job_run(const struct spec *s, struct note *note)
{
	unsigned int nenv = s->nenv;
	struct user user;
	sigset_t none;

	(void)setsid();
	if (s->terminal)
		(void)ioctl(0, TIOCSCTTY, 0);
	umask(022);
	if (!limits(s, note) || !workdir(s, note) || !become(s, note, &user))
		return;
	default_env(s, &nenv, "PATH", PATH_DEFAULT);
	default_env(s, &nenv, "HOSTNAME", machine_hostname());
	default_env(s, &nenv, "HOME", user.home);
	if (s->terminal)
		default_env(s, &nenv, "TERM", "xterm");
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execute(s, note);
}
