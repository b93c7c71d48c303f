# SPDX-License-Identifier: Apache-2.0
"""The oracle: has everything been judged that decides a guest's devices?

Each cell of a matrix is one request to a Nova that runs with its gates. What
Nova's services read for it is compared with what a gate has read, and a guest
may have no other devices than those of clean images. Nothing that Nova decides
is replaced.
"""
