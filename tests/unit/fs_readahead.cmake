# SPDX-License-Identifier: Apache-2.0
# What read-ahead foresees, over real directories; scans ahead in the gate alone.
if(STOQ_FS)
  pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
  set(fs ${PROJECT_SOURCE_DIR}/fs)
  file(GLOB gate_sources CONFIGURE_DEPENDS ${fs}/gate*.c)

  stoq_unit_test(test_fs_readahead util)
  target_sources(test_fs_readahead PRIVATE ${fs}/readahead_list.c
    ${fs}/readahead_walk.c ${fs}/gate_open.c)
  stoq_unit_test(test_fs_gate_ahead util)
  target_sources(test_fs_gate_ahead PRIVATE fs_gate_fakes.c ${gate_sources})
  foreach(test test_fs_readahead test_fs_gate_ahead)
    target_include_directories(${test} PRIVATE ${fs} ${FUSE3_INCLUDE_DIRS})
  endforeach()
endif()
