# SPDX-License-Identifier: Apache-2.0
"""The oracle: has everything been judged that decides a guest's devices?

Each cell of a matrix is one request to a Nova that runs with its gates. What
Nova's services read in the course of it, and the domain XML that they make,
are compared with what the API's gate has looked up: see verdict.py.  Nothing
that Nova decides is replaced.
"""
