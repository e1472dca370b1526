/* SPDX-License-Identifier: Apache-2.0 */
/* job_hear - what the agent says in a job's session, each frame checked. */
#ifndef MICROVM_JOB_HEAR_H
#define MICROVM_JOB_HEAR_H

#include "vmm/job/job_session.h"

/* job_session_hear() - take what has come over the wire, a frame or two at most.  It may end the
 * session
 */
void job_session_hear(struct job_session *s);
/* job_session_check() - is the job over, and all that it said written out?  Then the session ends */
void job_session_check(struct job_session *s);

#endif
