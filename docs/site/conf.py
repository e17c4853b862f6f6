"""Sphinx's settings for the web site, which `make site` puts together in build/site and builds there."""

from cnx_tutorial import __version__

project = "cnx_tutorial"
author = "The cnx_tutorial authors"
copyright = f"{author}, AGPL-3.0-only"
version = release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax and its fonts come with the site
]
nb_execution_mode = "off"  # the outputs are those that `pytest --nbval` compares
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
napoleon_custom_sections = ["Shape"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True  # the name of a default, not its value on this machine
add_module_names = False
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_title = "cnx_tutorial"
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
