# SPDX-License-Identifier: Apache-2.0
stoq_plugin(ole SOURCES common/cfb.c common/cfb_directory.c)
