/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rings - every lie of the tables, told to every device there is.  A line a case:
 *   PASS    the device carried it out, as it may
 *   REJECT  the device refused it
 *   WEDGED  a reset does not bring the device back
 *   FAIL    carried out or ignored what had to be refused, or wrote where it must not
 * target= and case= on the command line choose one.
 */
#include "guest-images/payloads/hostile/cases.h"

#define REFUSE_NS UINT64_C(2000000000) /* an answer is due */
#define MAY_NS    UINT64_C(50000000)

static unsigned int told, good;

static const char *rings_judge(struct rig *r, const struct hostile_case *c,
			       enum verdict v)
{
	if (!rig_undamaged(r))
		return "FAIL";
	if (!rig_works(r))
		return "WEDGED";
	if (c->refuse && (v == V_PASS || (v == V_SILENT && r->t->answers)))
		return "FAIL";
	return v == V_REJECT ? "REJECT" : "PASS";
}

static void rings_case(struct rig *r, const struct hostile_case *c)
{
	const char *verdict = "WEDGED";
	enum verdict v;

	if (rig_begin(r)) {
		rig_lay(r);
		if (c->setup)
			c->setup(r);
		vio_driver_ok(&r->v);
		if (c->tell)
			c->tell(r);
		v = rig_go(r, c->refuse && r->t->answers ? REFUSE_NS : MAY_NS);
		verdict = rings_judge(r, c, v);
	}
	told++;
	if (*verdict == 'P' || *verdict == 'R')
		good++;
	print("%s %s/%s\n", verdict, r->t->name, c->name);
}

static void rings_table(struct rig *r, const struct hostile_case *c, unsigned int n)
{
	char only[64];

	for (; n; n--, c++) {
		if (c->ndesc && c->ndesc != r->t->ndesc)
			continue;
		if (cmdline_value("case", only, sizeof(only)) && strcmp(only, c->name))
			continue;
		rings_case(r, c);
	}
}

static void rings_target(const struct target *t)
{
	struct rig r;

	if (!rig_open(&r, t))
		return;
	if (!rig_works(&r)) {
		print("FAIL %s does not work at all\n", t->name);
		told++;
		return;
	}
	rings_table(&r, ring_cases, ring_ncases);
	if (r.v.features & UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)
		rings_table(&r, indirect_cases, indirect_ncases);
	else
		print("%s offers no indirect descriptors\n", t->name);
	rings_table(&r, setup_cases, setup_ncases);
}

int main(void)
{
	char only[32];

	for (unsigned int i = 0; i < rig_ntargets || !rt_let_go(); i++) {
		i %= rig_ntargets;
		if (cmdline_value("target", only, sizeof(only)) &&
		    strcmp(only, rig_targets[i].name))
			continue;
		rings_target(&rig_targets[i]);
	}
	print("%u of %u cases well\n", good, told);
	return !told || good != told;
}
