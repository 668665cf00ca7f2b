using System.Security.Authentication;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

public sealed class AuthenticationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("trust")]
    [InlineData("password")]
    [InlineData("md5")]
    [InlineData("scram-sha-256")]
    public async Task Every_method_lets_the_right_password_in_and_no_other(string method)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { AuthMethod = method });

        await RequireEntryAsync(server.SettingsFor());
        await RequireEntryAsync(server.SettingsFor() with { Host = server.SocketDirectory });
        if (method == "trust")
        {
            await RequireEntryAsync(server.SettingsFor() with { Password = null });
            return;
        }

        var wrong = server.SettingsFor() with { Password = "not this one" };
        var refusal = await Should.ThrowAsync<PostgresServerException>(() => ReplicationConnection.OpenAsync(wrong, Token));
        refusal.SqlState.ShouldBe(SqlStates.InvalidPassword);
        refusal.Severity.ShouldBe("FATAL");
        refusal.ToString().ShouldNotContain("not this one");
        var missing = await Should.ThrowAsync<AuthenticationException>(
            () => ReplicationConnection.OpenAsync(server.SettingsFor() with { Password = null }, Token));
        missing.Message.ShouldContain("asks for a password and none is configured");
    }

    [Theory]
    [InlineData("pässwörd")]
    [InlineData("soft\u00ADhyphen and a no-break\u00A0space")]
    [InlineData("a\tcontrol")]
    [InlineData("漢字, emoji 🐘")]
    public async Task Scram_prepares_a_password_as_the_server_does(string password)
    {
        await using var server = await PostgresServer.StartAsync();
        await server.ExecuteAsync($"ALTER ROLE {PostgresServer.BackupRole} PASSWORD '{password}'");

        await RequireEntryAsync(server.SettingsFor() with { Password = password });
    }

    [Fact]
    public async Task A_role_without_the_replication_privilege_is_refused()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { AuthMethod = "trust" });
        await server.ExecuteAsync($"ALTER ROLE {PostgresServer.BackupRole} NOREPLICATION");

        var refusal = await Should.ThrowAsync<PostgresServerException>(() => server.OpenAsync());

        refusal.Severity.ShouldBe("FATAL");
        refusal.Message.ShouldContain("replication");
    }

    [Fact]
    public void Settings_do_not_print_their_password() =>
        new ConnectionSettings { Host = "db", Username = "backup", Password = "secret" }.ToString().ShouldBe("backup@db:5432");

    internal static async Task RequireEntryAsync(ConnectionSettings settings)
    {
        await using var connection = await ReplicationConnection.OpenAsync(settings, Token);
        (await connection.IdentifySystemAsync(Token)).Timeline.ShouldBe(1u);
    }
}
