# SPDX-License-Identifier: Apache-2.0
# expat, not libxml2: error entries carry its words, which are those of the original.
set(STOQ_PLUGIN_XDPCARVE AUTO CACHE STRING "Build the xdpcarve plugin: AUTO, ON or OFF")
stoq_optional(build_xdpcarve STOQ_PLUGIN_XDPCARVE EXPAT expat>=2.4 "xdpcarve worker")
if(build_xdpcarve)
  stoq_plugin(xdpcarve LIBS PkgConfig::EXPAT)
endif()
