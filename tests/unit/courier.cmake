# SPDX-License-Identifier: Apache-2.0
# The courier: real processes, with one test plugin under several names.

set(courier_test_plugins sink other keep mark)
foreach(name IN LISTS courier_test_plugins)
  set(out ${PROJECT_BINARY_DIR}/tests/courier_plugins/${name})
  add_library(courier_plugin_${name} MODULE
    ${CMAKE_CURRENT_LIST_DIR}/courier_plugins/courier_test.c)
  set_target_properties(courier_plugin_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${out})
  target_compile_definitions(courier_plugin_${name} PRIVATE TEST_NAME="${name}")
  target_link_libraries(courier_plugin_${name} PRIVATE stoq stoq_flags)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/courier_plugins/courier_test.stoq.in
    ${out}/${name}.stoq @ONLY)
endforeach()

foreach(test IN ITEMS dead deliver finish)
  stoq_unit_test(test_courier_${test} stoq)
  foreach(name IN LISTS courier_test_plugins)
    add_dependencies(test_courier_${test} courier_plugin_${name})
  endforeach()
endforeach()
