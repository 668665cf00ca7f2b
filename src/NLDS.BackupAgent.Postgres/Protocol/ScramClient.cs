using System.Globalization;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), with channel binding to the server's certificate when both can.</summary>
internal sealed class ScramClient
{
    private const string Plain = "SCRAM-SHA-256";
    private const string Bound = "SCRAM-SHA-256-PLUS";

    /// <summary>PostgreSQL's default is 4096. A million takes a second; more would be an attack on our processor.</summary>
    private const int MostIterations = 1_000_000;

    private readonly byte[] password;
    private readonly byte[] bindingHeader;
    private readonly string nonce;
    private byte[]? expectedProof;

    private ScramClient(string mechanism, string bindingFlag, byte[] bindingData, string password, string nonce)
    {
        Mechanism = mechanism;
        BindingFlag = bindingFlag;
        bindingHeader = [.. Encoding.ASCII.GetBytes(bindingFlag), .. bindingData];
        this.password = Encoding.UTF8.GetBytes(SaslPrep.Prepare(password));
        this.nonce = nonce;
    }

    public string Mechanism { get; }

    /// <summary>The server knew the password too.</summary>
    public bool IsServerProven { get; private set; }

    private string BindingFlag { get; }

    private string FirstBare => $"n=,r={nonce}"; // the name is empty: PostgreSQL takes the one of the startup packet

    /// <summary>Takes the strongest mechanism that both sides have.</summary>
    public static ScramClient Choose(IReadOnlyList<string> offered, string password, X509Certificate2? serverCertificate, string? nonce = null)
    {
        nonce ??= Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
        var binding = serverCertificate is null ? null : EndPointBinding.Hash(serverCertificate);
        if (binding is not null && offered.Contains(Bound))
        {
            return new ScramClient(Bound, "p=tls-server-end-point,,", binding, password, nonce);
        }

        if (!offered.Contains(Plain))
        {
            throw new AuthenticationException($"The server offers only {string.Join(", ", offered)}; this agent has {Plain}.");
        }

        // 'y' tells a server that did offer binding that somebody removed the offer on the way.
        return new ScramClient(Plain, binding is null ? "n,," : "y,,", [], password, nonce);
    }

    public byte[] FirstMessage() => Encoding.UTF8.GetBytes(BindingFlag + FirstBare);

    /// <summary>Answers the server's challenge with the proof that we know the password.</summary>
    public byte[] FinalMessage(ReadOnlyMemory<byte> challenge)
    {
        var text = Encoding.UTF8.GetString(challenge.Span);
        var parts = text.Split(',');
        if (parts is not [['r', '=', .. var combined], ['s', '=', .. var salt], ['i', '=', .. var count], ..]
            || !combined.StartsWith(nonce, StringComparison.Ordinal) || combined.Length == nonce.Length
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations)
            || iterations is < 1 or > MostIterations)
        {
            throw new AuthenticationException("The server's SCRAM challenge is malformed. It may be an impostor.");
        }

        var salted = Rfc2898DeriveBytes.Pbkdf2(password, Base64(salt), iterations, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
        var clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        var withoutProof = $"c={Convert.ToBase64String(bindingHeader)},r={combined}";
        var transcript = Encoding.UTF8.GetBytes($"{FirstBare},{text},{withoutProof}");
        var signature = HMACSHA256.HashData(SHA256.HashData(clientKey), transcript);
        for (var i = 0; i < clientKey.Length; i++)
        {
            clientKey[i] ^= signature[i];
        }

        expectedProof = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), transcript);
        return Encoding.UTF8.GetBytes($"{withoutProof},p={Convert.ToBase64String(clientKey)}");
    }

    /// <summary>Checks the server's own proof, without which anybody could pose as it.</summary>
    public void VerifyServer(ReadOnlySpan<byte> verdict)
    {
        var text = Encoding.UTF8.GetString(verdict).Split(',')[0];
        if (expectedProof is null
            || !text.StartsWith("v=", StringComparison.Ordinal)
            || !CryptographicOperations.FixedTimeEquals(Base64(text[2..]), expectedProof))
        {
            throw new AuthenticationException("The server could not prove that it knows the password. It may be an impostor.");
        }

        IsServerProven = true;
    }

    private static byte[] Base64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException problem)
        {
            throw new AuthenticationException("The server's SCRAM message is malformed. It may be an impostor.", problem);
        }
    }
}
