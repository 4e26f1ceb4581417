# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_PECARVE AUTO CACHE STRING "Build the pecarve plugin: AUTO, ON or OFF")
stoq_optional(build_pecarve STOQ_PLUGIN_PECARVE PCRE2 libpcre2-8 "pecarve worker")
if(build_pecarve)
  stoq_plugin(pecarve LIBS PkgConfig::PCRE2 SOURCES common/pe.c common/pe_map.c)
endif()
