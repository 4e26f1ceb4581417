# SPDX-License-Identifier: Apache-2.0
# The gate alone, over a pool, a store, a courier and a node table of the test's making;
# the watch alone, over a gate of the test's making.
if(STOQ_FS)
  pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
  set(fs ${PROJECT_SOURCE_DIR}/fs)
  file(GLOB gate_sources CONFIGURE_DEPENDS ${fs}/gate*.c)
  file(GLOB watch_sources CONFIGURE_DEPENDS ${fs}/watch*.c)

  foreach(name test_fs_gate test_fs_gate_race test_fs_gate_rules
      test_fs_gate_stale)
    stoq_unit_test(${name} util)
    target_sources(${name} PRIVATE fs_gate_fakes.c ${gate_sources})
    target_include_directories(${name} PRIVATE ${fs} ${FUSE3_INCLUDE_DIRS})
  endforeach()

  stoq_unit_test(test_fs_watch util)
  target_sources(test_fs_watch PRIVATE ${watch_sources} ${fs}/gate_open.c
    ${fs}/gate_thread.c ${fs}/source.c)
  target_include_directories(test_fs_watch PRIVATE ${fs} ${FUSE3_INCLUDE_DIRS})

  stoq_unit_test(test_fs_sidecar fs stoq)
endif()
