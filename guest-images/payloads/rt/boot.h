/* SPDX-License-Identifier: Apache-2.0 */
/* boot - what start_x86.S and the C side of the runtime know of each other. */
#ifndef PAYLOAD_BOOT_H
#define PAYLOAD_BOOT_H

#include <stdint.h>

struct pvh_info;
struct boot_params;

/* Where the boot processor arrives; one of the two is NULL */
_Noreturn void rt_main(const struct pvh_info *info, const struct boot_params *zero_page);
/* Where any exception ends, on a stack of its own */
_Noreturn void rt_exception(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2,
			    uint64_t rsp);
/* Where a started processor arrives */
_Noreturn void rt_ap_main(void);

/* start_x86.S */
struct iret_frame {
	uint64_t rip, cs, rflags, rsp, ss;
};
extern struct iret_frame rt_ap_frame;
extern const uint8_t rt_ap_trampoline[], rt_ap_trampoline_end[];
extern uint64_t rt_gdt_tss[2];
extern uint64_t rt_pdpt[512];
extern uint8_t image_end[]; /* payload.lds */

#endif
