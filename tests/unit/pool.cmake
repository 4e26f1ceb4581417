# SPDX-License-Identifier: Apache-2.0
# The scanner pool: real zygotes and scanners with the build tree's engine and plugins.

function(stoq_pool_plugin name)
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/pool_plugins)
  set(out ${PROJECT_BINARY_DIR}/tests/pool_plugins/${name})
  add_library(pool_plugin_${name} MODULE ${dir}/${name}/${name}.c)
  target_include_directories(pool_plugin_${name} PRIVATE ${dir})
  set_target_properties(pool_plugin_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${out})
  target_link_libraries(pool_plugin_${name} PRIVATE stoq stoq_flags)
  configure_file(${dir}/${name}/${name}.stoq ${out}/${name}.stoq COPYONLY)
endfunction()

set(pool_test_plugins crash spin hang memory lines trial witness)
foreach(plugin IN LISTS pool_test_plugins)
  stoq_pool_plugin(${plugin})
endforeach()

foreach(test IN ITEMS wire document queue scan roots order fault hostile sandbox swap)
  stoq_unit_test(test_pool_${test} stoq)
  add_dependencies(test_pool_${test} plugin_hash)
  foreach(plugin IN LISTS pool_test_plugins)
    add_dependencies(test_pool_${test} pool_plugin_${plugin})
  endforeach()
endforeach()
