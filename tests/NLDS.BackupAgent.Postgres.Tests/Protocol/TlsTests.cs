using System.Security.Authentication;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

public sealed class TlsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_sslmode_does_what_libpq_does_with_a_server_that_has_tls()
    {
        using var certificates = new TestCertificates("db.example", "127.0.0.1");
        using var strangers = new TestCertificates("127.0.0.1");
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Certificates = certificates });
        var plain = server.SettingsFor();

        (await IsEncryptedAsync(plain with { SslMode = SslMode.Disable })).ShouldBeFalse();
        (await IsEncryptedAsync(plain with { SslMode = SslMode.Allow })).ShouldBeFalse();
        (await IsEncryptedAsync(plain with { SslMode = SslMode.Prefer })).ShouldBeTrue();
        (await IsEncryptedAsync(plain with { SslMode = SslMode.Require })).ShouldBeTrue();
        (await IsEncryptedAsync(plain with { SslMode = SslMode.VerifyCa, RootCertificatePath = certificates.RootPath })).ShouldBeTrue();
        (await IsEncryptedAsync(plain with { SslMode = SslMode.VerifyFull, RootCertificatePath = certificates.RootPath })).ShouldBeTrue();
        (await IsEncryptedAsync(plain with { SslMode = SslMode.Require, Host = server.SocketDirectory })).ShouldBeFalse();

        // A configured root is used whatever the mode; prefer then falls back to plain.
        (await IsEncryptedAsync(plain with { SslMode = SslMode.Prefer, RootCertificatePath = strangers.RootPath })).ShouldBeFalse();
        await RequireRefusalAsync(plain with { SslMode = SslMode.Require, RootCertificatePath = strangers.RootPath }, "is not trusted by");
        await RequireRefusalAsync(plain with { SslMode = SslMode.VerifyCa, RootCertificatePath = strangers.RootPath }, "is not trusted by");
        await Should.ThrowAsync<ArgumentException>(() => ReplicationConnection.OpenAsync(plain with { SslMode = SslMode.VerifyFull }, Token));
    }

    [Fact]
    public async Task Only_verify_full_looks_at_the_name()
    {
        using var certificates = new TestCertificates("db.example");
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Certificates = certificates });
        var settings = server.SettingsFor() with { RootCertificatePath = certificates.RootPath };

        (await IsEncryptedAsync(settings with { SslMode = SslMode.VerifyCa })).ShouldBeTrue();
        await RequireRefusalAsync(settings with { SslMode = SslMode.VerifyFull }, "is not for the host '127.0.0.1'");
    }

    [Fact]
    public async Task Allow_turns_to_tls_and_prefer_to_plain_when_the_server_wants_it()
    {
        using var certificates = new TestCertificates("127.0.0.1");
        await using var demanding = await PostgresServer.StartAsync(new PostgresServerOptions { Certificates = certificates, HostKind = "hostssl" });
        await using var refusing = await PostgresServer.StartAsync(new PostgresServerOptions { Certificates = certificates, HostKind = "hostnossl" });

        (await IsEncryptedAsync(demanding.SettingsFor() with { SslMode = SslMode.Allow })).ShouldBeTrue();
        (await IsEncryptedAsync(refusing.SettingsFor() with { SslMode = SslMode.Prefer })).ShouldBeFalse();
        var refusal = await Should.ThrowAsync<PostgresServerException>(() => ReplicationConnection.OpenAsync(demanding.SettingsFor(), Token));
        refusal.SqlState.ShouldBe(SqlStates.InvalidAuthorization);
    }

    [Fact]
    public async Task A_server_without_tls_is_refused_by_require_and_taken_by_prefer()
    {
        await using var server = await PostgresServer.StartAsync();

        (await IsEncryptedAsync(server.SettingsFor() with { SslMode = SslMode.Prefer })).ShouldBeFalse();
        await RequireRefusalAsync(server.SettingsFor() with { SslMode = SslMode.Require }, "has no TLS, and SslMode is Require");
    }

    [Fact]
    public async Task A_client_certificate_opens_a_server_that_asks_for_nothing_else()
    {
        using var certificates = new TestCertificates("127.0.0.1");
        await using var server = await PostgresServer.StartAsync(
            new PostgresServerOptions { Certificates = certificates, AuthMethod = "cert", HostKind = "hostssl" });
        var settings = server.SettingsFor() with { Password = null, SslMode = SslMode.VerifyFull, RootCertificatePath = certificates.RootPath };

        await AuthenticationTests.RequireEntryAsync(
            settings with { ClientCertificatePath = certificates.ClientCertificatePath, ClientKeyPath = certificates.ClientKeyPath });

        await Should.ThrowAsync<PostgresServerException>(() => ReplicationConnection.OpenAsync(settings, Token));
        await Should.ThrowAsync<ArgumentException>(
            () => ReplicationConnection.OpenAsync(settings with { ClientCertificatePath = certificates.ClientCertificatePath }, Token));
    }

    [Fact]
    public async Task Wal_streams_over_tls_and_a_cancelled_read_loses_nothing()
    {
        using var certificates = new TestCertificates("127.0.0.1");
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Certificates = certificates });
        await using var connection = await ReplicationConnection.OpenAsync(server.SettingsFor() with { SslMode = SslMode.Require }, Token);
        var start = (await connection.IdentifySystemAsync(Token)).Position;
        var stream = await connection.StartReplicationAsync(slot: null, start, 1, Token);
        var position = start;
        using (var cancellation = new CancellationTokenSource())
        {
            var reading = Task.Run(
                async () =>
                {
                    while (true)
                    {
                        var message = await stream.ReadAsync(cancellation.Token);
                        position = message.Kind == WalMessageKind.Data ? message.End : position;
                    }
                },
                Token);
            await stream.SendStatusAsync(start, start, Lsn.Invalid, replyRequested: true, Token);
            await cancellation.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => reading);
        }

        await server.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', repeat('x', 2000000))");

        (await stream.ReceiveAsync(position, position + 2_000_000, Token)).Length.ShouldBe(2_000_000);
    }

    private static async Task<bool> IsEncryptedAsync(ConnectionSettings settings)
    {
        await using var connection = await ReplicationConnection.OpenAsync(settings, Token);
        await connection.IdentifySystemAsync(Token);
        return connection.IsEncrypted;
    }

    private static async Task RequireRefusalAsync(ConnectionSettings settings, string message)
    {
        var refusal = await Should.ThrowAsync<AuthenticationException>(() => ReplicationConnection.OpenAsync(settings, Token));
        refusal.Message.ShouldContain(message);
    }
}
