# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_ES_SEARCH AUTO CACHE STRING "Build the es-search plugin: AUTO, ON or OFF")
stoq_optional(build_es_search STOQ_PLUGIN_ES_SEARCH CURL libcurl>=7.85
  "es-search connector")
if(build_es_search)
  stoq_plugin(es-search LIBS PkgConfig::CURL SOURCES common/sock.c common/summary.c)
endif()
