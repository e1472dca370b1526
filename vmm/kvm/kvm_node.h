/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_node - the cure for a user who may not open /dev/kvm. */
#ifndef MICROVM_KVM_NODE_H
#define MICROVM_KVM_NODE_H

#include <stddef.h>

/* kvm_node_cure() - put into @to the command that lets this user open @node (/dev/kvm): joining
 * the node's group, by its name in @groups (/etc/group); if that would not help, or the group has
 * no name there, setfacl if this host has it, else chmod
 */
void kvm_node_cure(const char *node, const char *groups, char *to, size_t size);

#endif
