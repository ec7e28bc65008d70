"""From kernels to a package on disk: `printer` turns the IR into text, `render` puts it into its frames
(Jinja), and `package` decides which files there are and writes them."""
