# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_SYSLOG AUTO CACHE STRING "Build the syslog plugin: AUTO, ON or OFF")
stoq_optional(build_syslog STOQ_PLUGIN_SYSLOG SSL "libssl>=3.0;libcrypto>=3.0"
  "syslog connector")
if(build_syslog)
  stoq_plugin(syslog LIBS PkgConfig::SSL SOURCES common/sock.c common/summary.c)
endif()
