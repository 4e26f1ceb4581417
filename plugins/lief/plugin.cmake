# SPDX-License-Identifier: Apache-2.0
stoq_plugin(lief SOURCES common/elf.c common/macho.c common/pe.c common/pe_map.c
  common/pe_counts.c common/pe_export.c common/pe_ordinals.c)
