# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_POSTGRES AUTO CACHE STRING "Build the postgres plugin: AUTO, ON or OFF")
stoq_optional(build_postgres STOQ_PLUGIN_POSTGRES PQ libpq>=14 "postgres connector")
if(build_postgres)
  stoq_plugin(postgres LIBS PkgConfig::PQ SOURCES common/sock.c common/summary.c)
endif()
