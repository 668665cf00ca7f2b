using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

internal static class ServerSettings
{
    /// <summary>How the agent connects to a test server, before a test changes what it is about.</summary>
    public static ConnectionSettings SettingsFor(this PostgresServer server) => new()
    {
        Host = server.Host,
        Port = server.Port,
        Username = PostgresServer.BackupRole,
        Password = PostgresServer.BackupPassword,
        SslMode = SslMode.Disable,
    };

    public static Task<ReplicationConnection> OpenAsync(this PostgresServer server) =>
        ReplicationConnection.OpenAsync(server.SettingsFor(), TestContext.Current.CancellationToken);
}
