# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_CLAMAV AUTO CACHE STRING "Build the clamav plugin: AUTO, ON or OFF")
stoq_optional(build_clamav STOQ_PLUGIN_CLAMAV CLAMAV libclamav>=1.0 "clamav worker")
if(build_clamav)
  stoq_plugin(clamav LIBS PkgConfig::CLAMAV PkgConfig::CRYPTO)
endif()
