rule greeting : demo
{
    meta:
        plugin = "hash, entropy"
        save = "false"
    strings:
        $hello = "hello"
    condition:
        $hello
}
