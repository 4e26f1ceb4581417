# SPDX-License-Identifier: Apache-2.0
# The node table alone, over real directories; what outlives a mirror.
if(STOQ_FS)
  pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
  file(GLOB node_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fs/node*.c
    ${PROJECT_SOURCE_DIR}/fs/session.c)

  foreach(test IN ITEMS test_fs_node test_fs_node_names test_fs_restore)
    stoq_unit_test(${test} util)
    target_sources(${test} PRIVATE ${node_sources})
    target_include_directories(${test} PRIVATE ${PROJECT_SOURCE_DIR}/fs
      ${FUSE3_INCLUDE_DIRS})
  endforeach()
  stoq_unit_test(test_fs_journal util)
  target_sources(test_fs_journal PRIVATE ${PROJECT_SOURCE_DIR}/fs/journal.c
    ${PROJECT_SOURCE_DIR}/fs/session.c)
  target_include_directories(test_fs_journal PRIVATE ${PROJECT_SOURCE_DIR}/fs)
  set_tests_properties(test_fs_node PROPERTIES LABELS "unit;threads")
endif()
