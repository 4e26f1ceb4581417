# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_SWFCARVE AUTO CACHE STRING "Build the swfcarve plugin: AUTO, ON or OFF")
stoq_optional(build_swfcarve STOQ_PLUGIN_SWFCARVE SWFCARVE "liblzma;zlib;libpcre2-8"
  "swfcarve worker")
if(build_swfcarve)
  stoq_plugin(swfcarve LIBS PkgConfig::SWFCARVE)
endif()
