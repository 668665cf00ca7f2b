using System.Diagnostics.CodeAnalysis;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Answers the server's authentication requests until it says AuthenticationOk.</summary>
internal sealed class Authentication(ConnectionSettings settings, Transport transport, MessageWriter writer)
{
    private ScramClient? scram;

    public bool IsComplete { get; private set; }

    /// <summary>Handles one message of type 'R'.</summary>
    /// <exception cref="AuthenticationException">We cannot or will not answer.</exception>
    public async Task AnswerAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        var kind = new BodyReader(request.Span).Int32();
        switch (kind)
        {
            case 0: // AuthenticationOk
                if (scram is { IsServerProven: false })
                {
                    throw new AuthenticationException($"{settings} ended SCRAM without proving that it knows the password. It may be an impostor.");
                }

                IsComplete = true;
                return;

            case 3: // cleartext password
                if (!transport.IsPrivate)
                {
                    throw new AuthenticationException(
                        $"{settings} wants the password in clear over an unencrypted network. Use TLS, or scram-sha-256 in pg_hba.conf.");
                }

                await SendPasswordAsync(Password, cancellationToken);
                return;

            case 5: // MD5, with a salt of four bytes
                await SendPasswordAsync(Md5(new BodyReader(request.Span[4..]).Take(4)), cancellationToken);
                return;

            case 10: // SASL: a list of mechanisms
                scram = ScramClient.Choose(Mechanisms(request.Span), Password, transport.ServerCertificate);
                var first = scram.FirstMessage();
                await writer.SendAsync(
                    new MessageBuilder('p').CString(scram.Mechanism).Int32(first.Length).Bytes(first).Build(), cancellationToken);
                return;

            case 11 when scram is not null: // SASLContinue
                await writer.SendAsync(new MessageBuilder('p').Bytes(scram.FinalMessage(request[4..])).Build(), cancellationToken);
                return;

            case 12 when scram is not null: // SASLFinal
                scram.VerifyServer(request.Span[4..]);
                return;

            default:
                throw new AuthenticationException(
                    $"{settings} wants an authentication method (code {kind}) that this agent does not have. Use scram-sha-256, md5 or cert in pg_hba.conf.");
        }
    }

    private string Password => settings.Password is { Length: > 0 } password
        ? password
        : throw new AuthenticationException($"{settings} asks for a password and none is configured.");

    private async Task SendPasswordAsync(string answer, CancellationToken cancellationToken) =>
        await writer.SendAsync(new MessageBuilder('p').CString(answer).Build(), cancellationToken);

    [SuppressMessage("Security", "CA5351", Justification = "The protocol's own, for servers that still store MD5.")]
    private string Md5(ReadOnlySpan<byte> salt)
    {
        var inner = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(Password + settings.Username))));
        return "md5" + Convert.ToHexStringLower(MD5.HashData([.. inner, .. salt]));
    }

    private static List<string> Mechanisms(ReadOnlySpan<byte> request)
    {
        var fields = new BodyReader(request[4..]);
        var names = new List<string>();
        while (!fields.IsAtEnd && fields.CString() is { Length: > 0 } name)
        {
            names.Add(name);
        }

        return names;
    }
}
