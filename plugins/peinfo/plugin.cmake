# SPDX-License-Identifier: Apache-2.0
stoq_plugin(peinfo LIBS PkgConfig::CRYPTO m
  SOURCES common/pe.c common/pe_map.c common/pe_counts.c common/pe_import.c
          common/pe_export.c common/pe_resource.c common/pe_version.c common/pe_names.c
          common/pe_ordinals.c)
