"""For the teacher of a class: an nbgrader course from the notebooks (`cnx course`), and marks for a folder of copies without it (`cnx grade`)."""
