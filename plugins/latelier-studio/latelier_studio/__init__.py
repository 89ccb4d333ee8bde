"""A page on top of latelier-server, in which pictures are made, painted on and kept.

command.py   `latelier studio`
page.py      the routes of the page, of its files and of the widgets of plugins
static/      the page, bundled from ../src by `npm run build`
"""
