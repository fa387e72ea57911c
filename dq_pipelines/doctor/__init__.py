"""The doctor: examinations of everything that an installation keeps, each with its finding, its remedy and, where safe, its repair."""
