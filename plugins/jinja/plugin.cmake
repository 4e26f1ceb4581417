# SPDX-License-Identifier: Apache-2.0
stoq_plugin(jinja)
target_link_libraries(plugin_jinja PRIVATE m)
# the template lies beside the plugin, where the option's default looks for it
stoq_plugin_files(jinja stoq.tpl)
