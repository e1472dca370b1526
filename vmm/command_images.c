/* SPDX-License-Identifier: Apache-2.0 */
/* command_images - `microvm images`: the images that are in the cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/command_jail.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/image/image.h"
#include "vmm/image/show.h"

#define DIGITS_MIN 4 /* of a digest, that name an image */

struct images {
	struct cache cache;
	struct image_how how;
	bool json;
	json_t *list; /* with @json, what is shown */
	unsigned int n;
};

/* ---- which image is meant ---- */

struct search {
	const char *word;
	char key[CACHE_KEY];
	unsigned int n;
};

static int match_digest(void *ctx, const char *key)
{
	struct search *s = ctx;

	if (strncmp(key, s->word, strlen(s->word)) == 0) {
		(void)snprintf(s->key, sizeof(s->key), "%s", key);
		s->n++;
	}
	return 0;
}

static bool is_digits(const char *word)
{
	size_t n = strlen(word);

	return n >= DIGITS_MIN && n <= DIGEST_HEX &&
	       !word[strspn(word, "0123456789abcdef")];
}

static int key_by_digest(const struct images *im, const char *word, char key[CACHE_KEY],
			 struct err *e)
{
	struct search s = {.word = word};
	int rc = cache_list(&im->cache, match_digest, &s, e);

	if (rc == 0 && s.n > 1)
		return err_usage(e,
				 "%.64s begins the digests of %u images; give more of it",
				 word, s.n);
	memcpy(key, s.key, CACHE_KEY);
	return rc < 0 ? rc : s.n ? 0 : -ENOENT;
}

/* Digits, a directory or archive, or a name.  Return: 0, @key; -errno in @e */
static int images_key(const struct images *im, const char *word, char key[CACHE_KEY],
		      struct err *e)
{
	const char *digits = strncmp(word, "sha256:", 7) == 0 ? word + 7 : word;
	struct reference r;
	int rc;

	if (is_digits(digits)) {
		rc = key_by_digest(im, digits, key, e);
	} else {
		rc = reference_read(&r, word, e);
		if (rc == 0 && r.kind == REFERENCE_LOCAL)
			rc = image_key(&r, &im->how, key, e);
		else if (rc == 0)
			rc = cache_named(&im->cache, r.path ? r.path : word, key);
		reference_free(&r);
	}
	if (rc < 0 && !*e->msg)
		err_set(e, -rc,
			"there is no image %.100s in the cache; microvm images lists "
			"those that there are",
			word);
	return rc;
}

/* ---- what is done to each ---- */

static void show(struct images *im, const struct cached *i, bool all)
{
	if (im->json)
		(void)json_array_append_new(im->list, show_json(i));
	else if (all)
		show_text(i, stdout);
	else
		show_line(i, stdout);
	im->n++;
}

static int list_one(void *ctx, const char *key)
{
	struct images *im = ctx;
	struct cached i;
	struct err e = {0};

	if (cache_find(&im->cache, key, &i, &e) > 0)
		show(im, &i, false);
	else if (e.code)
		command_complain(e.msg);
	cached_close(&i);
	return 0;
}

static int images_ls(struct images *im, struct err *e)
{
	if (!im->json)
		show_line(NULL, stdout);
	return cache_list(&im->cache, list_one, im, e);
}

static int images_import(struct images *im, const char *word, struct err *e)
{
	struct reference r;
	struct cached i = {.fd = -1};
	int rc = reference_read(&r, word, e);

	if (rc == 0 && r.kind == REFERENCE_NONE)
		rc = err_usage(e,
			       "%.100s is no image; give oci:DIR, oci-archive:FILE, "
			       "docker-archive:FILE or a name like alpine:3.20",
			       word);
	im->how.again = true;
	if (rc == 0)
		rc = image_find(&i, &im->cache, &r, word, &im->how, e);
	if (rc == 0)
		show(im, &i, false);
	cached_close(&i);
	reference_free(&r);
	return rc;
}

static int images_open(struct images *im, const char *word, struct cached *i,
		       struct err *e)
{
	char key[CACHE_KEY];
	int rc = images_key(im, word, key, e);

	if (rc < 0)
		return rc;
	rc = cache_find(&im->cache, key, i, e);
	if (rc == 0)
		return err_set(e, ENOENT,
			       "the image %.12s is not in the cache, or not whole; "
			       "import it: microvm images import",
			       key);
	return rc < 0 ? rc : 0;
}

static int images_inspect(struct images *im, const char *word, struct err *e)
{
	struct cached i = {.fd = -1};
	int rc = images_open(im, word, &i, e);

	if (rc == 0)
		show(im, &i, true);
	cached_close(&i);
	return rc;
}

static int images_verify(struct images *im, const char *word, struct err *e)
{
	struct cached i = {.fd = -1};
	int rc = images_open(im, word, &i, e);

	if (rc == 0 && cached_verify(&i, e) < 0)
		rc = err_wrap(e, "%.64s", word);
	if (rc == 0)
		show(im, &i, false);
	cached_close(&i);
	return rc;
}

static int images_rm(struct images *im, const char *word, struct err *e)
{
	char key[CACHE_KEY];
	int rc = images_key(im, word, key, e);

	if (rc == 0)
		rc = cache_remove(&im->cache, key, e);
	return rc < 0 ? rc : cache_prune(&im->cache, e) < 0 ? -e->code : 0;
}

/* ---- and to all ---- */

struct pruning {
	struct images *im;
	unsigned int gone, used;
};

static int prune_one(void *ctx, const char *key)
{
	struct pruning *p = ctx;
	struct err e;

	if (cache_remove(&p->im->cache, key, &e) == 0)
		p->gone++;
	else if (e.code == EBUSY)
		p->used++;
	return 0;
}

static int images_prune(struct images *im, struct err *e)
{
	struct pruning p = {.im = im};
	int cut = 0, rc = cache_list(&im->cache, prune_one, &p, e);

	if (rc == 0)
		cut = cache_prune(&im->cache, e);
	if (rc < 0 || cut < 0)
		return -e->code;
	if (im->json)
		(void)json_array_append_new(
			im->list, json_pack("{s:i, s:i, s:i}", "removed", (int)p.gone,
					    "unfinished", cut, "used", (int)p.used));
	else
		(void)printf("removed: %u, unfinished: %d, in use: %u\n", p.gone, cut,
			     p.used);
	return 0;
}

struct verifying {
	struct images *im;
	unsigned int bad;
};

static int verify_key(void *ctx, const char *key)
{
	struct verifying *v = ctx;
	char word[DIGEST_HEX + 1];
	struct err e = {0};

	(void)snprintf(word, sizeof(word), "%.64s", key);
	if (images_verify(v->im, word, &e) == 0 ||
	    faccessat(v->im->cache.dir, key, F_OK, 0) < 0) /* removed meanwhile */
		return 0;
	command_complain(e.msg);
	v->bad++;
	return 0;
}

/* One that is bad does not keep the others from being read */
static int images_verify_all(struct images *im, struct err *e)
{
	struct verifying v = {.im = im};
	int rc = cache_list(&im->cache, verify_key, &v, e);

	if (rc < 0 || !v.bad)
		return rc;
	return err_set(e, EBADMSG, "%u image%s not what was written", v.bad,
		       v.bad == 1 ? " is" : "s are");
}

/* ---- the words ---- */

static const struct verb {
	const char *name;
	int (*all)(struct images *im,
		   struct err *e); /* without a word; NULL: one is needed */
	int (*one)(struct images *im, const char *word, struct err *e);
} verbs[] = {
	{"ls", images_ls, NULL},         {"inspect", NULL, images_inspect},
	{"rm", NULL, images_rm},         {"prune", images_prune, NULL},
	{"import", NULL, images_import}, {"verify", images_verify_all, images_verify},
};

static const struct verb *verb_find(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	err_usage(
		e,
		"images has no \"%.40s\"; give ls, inspect, rm, prune, import or verify",
		name);
	return NULL;
}

/* --json anywhere, --quiet as well; what is left is the verb and its words */
static int words_read(struct images *im, int *argc, char **argv, struct err *e)
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const char *w = argv[i];

		if (strcmp(w, "--json") == 0)
			im->json = true;
		else if (strcmp(w, "--quiet") == 0 || strcmp(w, "-q") == 0)
			im->how.quiet = true;
		else if (w[0] == '-' && w[1])
			return err_usage(e,
					 "images has no option %.40s; it has --json and "
					 "--quiet",
					 w);
		else
			argv[n++] = argv[i];
	}
	*argc = n;
	return 0;
}

static int images_run(struct images *im, const struct verb *v, int argc, char **argv,
		      struct err *e)
{
	int rc = 0;

	if (!argc && !v->all)
		return err_usage(e, "%s of which image? microvm images lists them",
				 v->name);
	if (argc && !v->one)
		return err_usage(e, "%s takes no image; leave \"%.60s\" out", v->name,
				 argv[0]);
	if (cache_open(&im->cache, e) < 0)
		return -e->code;
	if (!argc)
		return v->all(im, e);
	for (int i = 0; rc == 0 && i < argc; i++)
		rc = v->one(im, argv[i], e);
	return rc;
}

static void print_json(const struct images *im)
{
	(void)json_dumpf(im->list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	(void)putchar('\n');
}

int command_images(int argc, char **argv, uint64_t start_ns)
{
	struct config cfg = {.jail = MICROVM_JAIL == JAIL_OFF ? JAIL_OFF : JAIL_STRICT};
	struct images im = {.cache.dir = -1,
			    .how = {.in = STDIN_FILENO,
				    .lock = command_importer_lock,
				    .lock_ctx = &cfg}};
	const struct verb *v = NULL;
	struct err e = {0};
	int rc;

	(void)start_ns;
	im.list = json_array();
	rc = words_read(&im, &argc, argv, &e);
	if (rc == 0)
		v = verb_find(argc > 1 ? argv[1] : "ls", &e);
	if (v)
		rc = images_run(&im, v, argc > 2 ? argc - 2 : 0, argv + 2, &e);
	if (v && im.json && (rc == 0 || im.n))
		print_json(&im);
	json_decref(im.list);
	cache_close(&im.cache);
	if (!v || rc < 0)
		return command_fail(&e);
	return command_flush(0);
}
