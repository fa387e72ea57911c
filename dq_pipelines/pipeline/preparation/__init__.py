"""From bronze rows to rows that can be judged: names, types, transform steps and schema drift."""
