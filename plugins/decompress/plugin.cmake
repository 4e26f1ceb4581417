# SPDX-License-Identifier: Apache-2.0
stoq_optional(build_decompress STOQ_PLUGIN_DECOMPRESS ARCHIVE libarchive>=3.6 "decompress worker")
if(build_decompress)
  stoq_plugin(decompress LIBS PkgConfig::ARCHIVE)
endif()
