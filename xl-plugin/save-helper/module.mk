# SPDX-License-Identifier: LGPL-2.1-or-later
# xl-save-helper: the program named by LIBXL_SAVE_HELPER.
SAVE_HELPER_DIR := xl-plugin/save-helper

test_helper_message_SRC := $(SAVE_HELPER_DIR)/message.c
test_helper_parent_SRC := $(addprefix $(SAVE_HELPER_DIR)/,message.c parent.c)

test_helper_config_SRC := $(addprefix $(SAVE_HELPER_DIR)/,config.c config_lines.c)
test_helper_config_LIBS = $(call pkglibs,xlutil)
