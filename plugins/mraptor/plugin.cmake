# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_MRAPTOR AUTO CACHE STRING "Build the mraptor plugin: AUTO, ON or OFF")
stoq_optional(build_mraptor STOQ_PLUGIN_MRAPTOR MRAPTOR "libarchive>=3.6;zlib"
  "mraptor worker")
if(build_mraptor)
  stoq_plugin(mraptor LIBS PkgConfig::MRAPTOR
    SOURCES common/cfb.c common/cfb_directory.c common/ovba.c)
endif()
