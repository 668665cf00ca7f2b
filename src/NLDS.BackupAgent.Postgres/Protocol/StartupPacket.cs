namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>The first message: protocol 3.0 and who wants what.</summary>
internal static class StartupPacket
{
    private const int ProtocolVersion = 3 << 16;

    public static ReadOnlyMemory<byte> For(ConnectionSettings settings)
    {
        var packet = new MessageBuilder(type: null).Int32(ProtocolVersion);
        packet.CString("user").CString(settings.Username);
        if (settings.Mode == ReplicationMode.Physical)
        {
            packet.CString("replication").CString("true");
        }
        else
        {
            packet.CString("replication").CString("database").CString("database").CString(settings.Database ?? settings.Username);
        }

        packet.CString("application_name").CString(settings.ApplicationName);
        packet.CString("client_encoding").CString("UTF8");
        return packet.Byte(0).Build();
    }
}
