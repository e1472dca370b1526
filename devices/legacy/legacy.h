/* SPDX-License-Identifier: Apache-2.0 */
/*
 * legacy - the few old devices that a kernel without firmware still needs: the PC's, on ports,
 * and those of Arm's boards, in memory.
 *
 * All return a device to be put on its bus, or NULL (out of memory or of fds).
 */
#ifndef MICROVM_LEGACY_LEGACY_H
#define MICROVM_LEGACY_LEGACY_H

#include "devices/backend/tty.h"
#include "vmm/core/acpi_pm.h"
#include "vmm/core/device.h"
#include "vmm/core/loop.h"
#include "vmm/core/power.h"

/* serial_create() - a 16550A at [@base, @base + 8) of either bus, line @gsi, on @tty (not owned;
 * NULL: output goes nowhere, nothing comes in).  serial_client(): for tty_start()
 */
struct device *serial_create(const char *name, uint64_t base, unsigned int gsi,
			     struct tty *tty);
struct tty_client *serial_client(struct device *d);

/* i8042_create() - just enough keyboard controller, ports 0x60-0x64, for the reset
 * command (0xfe to 0x64), for a probe to fail fast, and for port 0x61
 */
struct device *i8042_create(struct power *p);

/* Both clocks, loaded from a state: they show the host's time plus the offset that the guest had
 * set, so their time jumps over the while that the guest was stored, as a battery-backed clock's
 * does over a switched-off machine. An alarm in that time comes at once.
 */

/* cmos_create() - MC146818 clock and CMOS bytes, ports 0x70-0x71, in UTC from the host;
 * @ram_below_4g, @ram_above_4g fill the memory-size bytes that old software reads
 */
struct device *cmos_create(uint64_t ram_below_4g, uint64_t ram_above_4g);

/* pci_address_create() - port 0xcf8 of an empty PCI bus: it prevents an error message of Linux */
struct device *pci_address_create(void);

/* pvpanic_create() - where a guest says that it panicked: one byte at @base of either bus */
struct device *pvpanic_create(uint64_t base, struct power *p);

/* exit_port_create() - QEMU's isa-debug-exit: four ports at @base, a write to which ends the machine */
struct device *exit_port_create(uint64_t base, struct power *p);

/* pl031_create() - an Arm PL031 clock, 4 KiB of memory at @base, in UTC from the host; its
 * alarm is line @gsi, by a timer on @loop
 */
struct device *pl031_create(uint64_t base, unsigned int gsi, struct loop *loop);

/* acpi_pm_create() - the FADT's reset, sleep control and sleep status registers, ACPI_PM_LEN
 * ports from @base (vmm/core/acpi_pm.h).  Its line is the power button: each edge on GSI @button
 * presses it once; 0: it has none
 */
struct device *acpi_pm_create(uint64_t base, unsigned int button, struct power *p);

#endif
