"""Reading files that are hostile until shown otherwise: archives, arrays and tables.

Used by whatever reads an upload. What a file announces is compared with its size and with our
limits before anything is allocated for it, and contents come in bounded pieces.
"""
