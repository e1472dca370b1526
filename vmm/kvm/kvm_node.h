/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_node - what helps a user who may not open /dev/kvm. */
#ifndef MICROVM_KVM_NODE_H
#define MICROVM_KVM_NODE_H

#include <stddef.h>

/* kvm_node_cure() - put into @to the command that lets this user open @node (/dev/kvm): joining
 * the group that the node belongs to, by the name that @groups (/etc/group) has for it; where that would not
 * help, or it has no name here, setfacl if this host has it, else chmod
 */
void kvm_node_cure(const char *node, const char *groups, char *to, size_t size);

#endif
