# SPDX-License-Identifier: Apache-2.0
stoq_optional(build_decompress STOQ_PLUGIN_DECOMPRESS ARCHIVE libarchive>=3.6 "decompress worker")
if(build_decompress)
  # libarchive needs both itself
  pkg_check_modules(DECOMPRESS_ZLIB REQUIRED QUIET IMPORTED_TARGET zlib)
  pkg_check_modules(DECOMPRESS_LZMA REQUIRED QUIET IMPORTED_TARGET liblzma)
  stoq_plugin(decompress LIBS PkgConfig::ARCHIVE PkgConfig::DECOMPRESS_ZLIB
    PkgConfig::DECOMPRESS_LZMA)
  set(STOQ_DECOMPRESS_MSPACK AUTO CACHE STRING "CHM, SZDD and KWAJ in decompress: AUTO, ON or OFF")
  stoq_optional(have_mspack STOQ_DECOMPRESS_MSPACK DECOMPRESS_MSPACK libmspack
    "CHM, SZDD and KWAJ in decompress")
  if(have_mspack)
    target_link_libraries(plugin_decompress PRIVATE PkgConfig::DECOMPRESS_MSPACK)
    target_compile_definitions(plugin_decompress PRIVATE DECOMPRESS_HAVE_MSPACK)
  else()
    set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/decompress/mspack.c
      PROPERTIES HEADER_FILE_ONLY ON)
  endif()
endif()
