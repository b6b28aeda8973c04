"""What moves under the finger: ES modules that decode in the browser, and the Python that writes their data.

The JavaScript knows no host. Each component exports `mount({ element, data, onChange })`, which returns
`{ update, close }`; `explorer`, `rotor`, `sheet` and `linked` write `data`, and `modules.bundle` makes one script of a
component and a host's adapter. The decoder itself travels through the component `store`, as `decoder.pack` writes it.
"""
