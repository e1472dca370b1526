/* SPDX-License-Identifier: Apache-2.0 */
/* importer - who started the importer hears what it says. */
#include "vmm/image/importer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"

#define ERROR_MAX (8 + sizeof(((struct err *)0)->msg))

/* What has been heard */
struct heard {
	const struct importer *im;
	struct image_text *text;
	struct err *e;
	bool line; /* how far it is stands on the terminal */
	bool error;
};

static void show(struct heard *h, unsigned int percent)
{
	if (!h->im->shown)
		return;
	(void)fprintf(stderr, "\rmicrovm: %s: %u%%", h->im->shown, MIN(percent, 100U));
	(void)fflush(stderr);
	h->line = true;
}

static void hear_error(struct heard *h, const uint8_t *p, size_t n)
{
	uint32_t number[2];

	memcpy(number, p, sizeof(number));
	n -= sizeof(number);
	memcpy(h->e->msg, p + sizeof(number), n);
	h->e->msg[n] = '\0';
	text_printable(h->e->msg, strlen(h->e->msg));
	h->e->code = number[0] > 0 && number[0] < 4096 ? (int)number[0] : EPERM;
	h->e->usage = number[1] == 1;
	h->error = true;
}

/* Not a message: what a filter of system calls says last */
static bool hear_words(struct heard *h, int pipe, const struct importer_head *head)
{
	char text[200] = "";
	long n;

	memcpy(text, head, sizeof(*head));
	n = read_full(pipe, text + sizeof(*head), sizeof(text) - sizeof(*head) - 1);
	n = n > 0 ? n : 0;
	text[sizeof(*head) + (size_t)n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	text_printable(text, strlen(text));
	err_set(h->e, EPERM, "the process that reads it said: %s", text);
	h->error = true;
	return false;
}

/* Return: is there more to hear? */
static bool hear(struct heard *h, int pipe)
{
	struct importer_head head;
	uint8_t small[ERROR_MAX];

	if (read_full(pipe, &head, sizeof(head)) != sizeof(head))
		return false;
	if (head.says == IMPORTER_TEXT && head.len <= IMAGE_TEXT_MAX && !h->text->p) {
		h->text->p = malloc(head.len + 1);
		if (!h->text->p)
			return false;
		if (read_full(pipe, h->text->p, head.len) != (long)head.len)
			return false; /* what is there is not the text's, and has no length */
		h->text->len = head.len;
		return true;
	}
	if (head.says == IMPORTER_DONE && head.len == 1) {
		if (read_full(pipe, small, 1) != 1)
			return false;
		show(h, small[0]);
		return true;
	}
	if (head.says == IMPORTER_ERROR && head.len >= 8 && head.len < ERROR_MAX) {
		if (read_full(pipe, small, head.len) != (long)head.len)
			return false;
		hear_error(h, small, head.len);
		return true;
	}
	return hear_words(h, pipe, &head);
}

static int ended(struct heard *h, int status)
{
	if (h->error)
		return -h->e->code;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_set(h->e, ETIME,
			       "the process that reads it has used up all the "
			       "processor time that it may have");
	if (WIFSIGNALED(status))
		return err_set(
			h->e, EPERM,
			"the process that reads it was ended by signal %d (memory: "
			"see ulimit -v, and the kernel's log)",
			WTERMSIG(status));
	if (WEXITSTATUS(status) || !image_text_ok(h->text))
		return err_set(h->e, EPERM,
			       "the process that reads it ended without a word");
	return 0;
}

int importer_run(const struct importer *im, struct image_text *text, struct err *e)
{
	struct heard h = {.im = im, .text = text, .e = e};
	int fds[2], status = 0;
	pid_t self = getpid(), pid;

	*text = (struct image_text){0};
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "no pipe: %s; raise ulimit -n", strerror(errno));
	pid = fork();
	if (pid == 0)
		importer_child(im, fds[1], self);
	close(fds[1]);
	if (pid < 0) {
		int code = errno;

		close(fds[0]);
		return err_set(e, code, "no process for it: %s%s", strerror(code),
			       limits_thread_cure(code));
	}
	while (hear(&h, fds[0]))
		;
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (h.line)
		(void)fputs("\r\033[K", stderr);
	if (ended(&h, status) == 0)
		return 0;
	image_text_free(text);
	return -e->code;
}
